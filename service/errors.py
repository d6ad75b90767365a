"""What can go wrong, and what HTTP says about it.

ServiceError
├── BadRequest                 400  the request itself cannot be understood
│   └── UndecodableImage       400  the bytes are no image, or a damaged one
├── Unauthorized               401  a key is needed, and none that is known was sent
├── BodyTimeout                408  the client sent its body too slowly
├── PayloadTooLarge            413  too many bytes
│   ├── ImageTooLarge          413  too many pixels
│   └── TooManyImages          413  too many images in one batch request
├── UnsupportedMediaType       415  not a content type, or not an image format, that we take
├── InvalidParameter           422  a query parameter or form field has a wrong value
├── RateLimited                429  this client has asked too often
├── InferenceFailed            500  a graph failed on valid input: ours to mend
├── Unavailable                503  try again, here or at another replica
│   ├── Overloaded             503  more comes than can be answered
│   ├── NotReady               503  a worker is stuck, or died and is being replaced
│   └── Draining               503  this replica is going away
├── DeadlineExceeded           504  the answer was not ready in time
└── ModelError                 ---  a model directory is unusable: at start-up, never over HTTP
"""

from typing import ClassVar


class ServiceError(Exception):
    """A failure with an HTTP status, a stable code and a sentence for whoever sent the request.

    `retry_after_s` becomes the Retry-After header (RFC 9110, section 10.2.3).
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after_s = retry_after_s


class BadRequest(ServiceError):
    """The request itself cannot be understood."""

    status, code, title = 400, "bad_request", "Bad request"


class UndecodableImage(BadRequest):
    """The bytes are no image, or a damaged one."""

    code, title = "undecodable_image", "Undecodable image"


class Unauthorized(ServiceError):
    """A key is needed, and none that is known was sent."""

    status, code, title = 401, "unauthorized", "Unauthorized"


class BodyTimeout(ServiceError):
    """The client sent its body too slowly."""

    status, code, title = 408, "body_timeout", "Body not received in time"


class PayloadTooLarge(ServiceError):
    """The body has too many bytes."""

    status, code, title = 413, "payload_too_large", "Payload too large"


class ImageTooLarge(PayloadTooLarge):
    """The image has too many pixels."""

    code, title = "image_too_large", "Image too large"


class TooManyImages(PayloadTooLarge):
    """One request carries too many images."""

    code, title = "too_many_images", "Too many images"


class UnsupportedMediaType(ServiceError):
    """Not a content type, or not an image format, that we take."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class InvalidParameter(ServiceError):
    """A query parameter or form field has a wrong value."""

    status, code, title = 422, "invalid_parameter", "Invalid parameter"


class RateLimited(ServiceError):
    """This client has asked too often."""

    status, code, title = 429, "rate_limited", "Too many requests"


class InferenceFailed(ServiceError):
    """A graph failed on valid input."""

    status, code, title = 500, "inference_failed", "Inference failed"


class Unavailable(ServiceError):
    """Not now; try again, here or at another replica."""

    status, code, title = 503, "unavailable", "Unavailable"


class Overloaded(Unavailable):
    """More comes than can be answered."""

    code, title = "overloaded", "Overloaded"


class NotReady(Unavailable):
    """A worker is stuck, or died and is being replaced."""

    code, title = "not_ready", "Not ready"


class Draining(Unavailable):
    """This replica is going away."""

    code, title = "draining", "Draining"


class DeadlineExceeded(ServiceError):
    """The answer was not ready in time."""

    status, code, title = 504, "deadline_exceeded", "Deadline exceeded"


class ModelError(ServiceError):
    """A model directory is unusable."""

    code, title = "model_error", "Model error"
