"""What goes over the wire: the models of every JSON answer, made from what the pipeline found."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import InvalidParameter, ServiceError
from service.faces import Face
from service.pipeline import Analysis, FaceExpression, Timing

Point = tuple[float, float]


class Wire(BaseModel):
    """The common ground of all answers: made once, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Options(BaseModel):
    """The query string of an image request; a name that is not here is an error, not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detect: bool = Field(
        default=True,
        description="Look for faces; false takes the whole image as one face crop.",
    )
    max_faces: int = Field(
        default=100,
        ge=1,
        le=1000,
        description="Most faces in the answer, the largest first.",
    )
    min_face_size: float = Field(
        default=20.0,
        ge=1.0,
        le=10_000.0,
        description="Smallest face that counts, in pixels of its longer side.",
    )

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Raises `InvalidParameter`, naming each parameter that is wrong."""
        try:
            return cls.model_validate(query)
        except ValidationError as error:
            faults = (f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            raise InvalidParameter("; ".join(faults)) from None


class Box(Wire):
    """A rectangle in pixels of the upright image; the origin is its top left corner."""

    x: float
    y: float
    w: float
    h: float


class Landmarks(Wire):
    """Five points of a face in pixels, left and right as the person in the picture has them."""

    right_eye: Point
    left_eye: Point
    nose: Point
    mouth_right: Point
    mouth_left: Point


class FacePrediction(Wire):
    """One face and the expression it shows."""

    box: Box
    face_confidence: float | None = Field(
        ge=0, le=1, description="The detector's score; null when no detector ran."
    )
    landmarks: Landmarks | None = Field(description="Null when no detector ran.")
    dominant_emotion: str = Field(description="The label with the largest probability.")
    confidence: float = Field(ge=0, le=1, description="The largest probability.")
    emotion: dict[str, float] = Field(description="Probability of each label; they sum to 1.")

    @classmethod
    def of(cls, found: FaceExpression, labels: Sequence[str], whole: Box) -> Self:
        """`whole` is the box of an image that was taken as one crop."""
        # The sum of rounded float32 numbers may be a little above 1, and so may one of them.
        probabilities = [min(1.0, round(value, 7)) for value in found.probabilities.tolist()]
        confidence = max(probabilities)
        face = found.face
        return cls(
            box=whole if face is None else _box(face),
            face_confidence=None if face is None else round(float(face.score), 4),
            landmarks=None if face is None else _landmarks(face),
            dominant_emotion=labels[probabilities.index(confidence)],
            confidence=confidence,
            emotion=dict(zip(labels, probabilities, strict=True)),
        )


class ImageSize(Wire):
    """Size of the upright image in pixels."""

    width: int
    height: int


class ModelName(Wire):
    """Which model gave an answer."""

    name: str
    version: str


class TimingMs(Wire):
    """Where the time of one image went, in milliseconds."""

    decode: float
    detect: float
    queue: float
    inference: float
    total: float

    @classmethod
    def of(cls, timing: Timing) -> Self:
        return cls(
            decode=_milliseconds(timing.decode),
            detect=_milliseconds(timing.detect),
            queue=_milliseconds(timing.queue),
            inference=_milliseconds(timing.inference),
            total=_milliseconds(timing.total),
        )


class Prediction(Wire):
    """The faces of one image, the largest first, and the expression each one shows."""

    faces: list[FacePrediction]
    image: ImageSize
    model: ModelName
    timing_ms: TimingMs
    request_id: str

    @classmethod
    def of(
        cls, analysis: Analysis, labels: Sequence[str], model: ModelName, request_id: str
    ) -> Self:
        whole = Box(x=0, y=0, w=analysis.width, h=analysis.height)
        return cls(
            faces=[FacePrediction.of(found, labels, whole) for found in analysis.faces],
            image=ImageSize(width=analysis.width, height=analysis.height),
            model=model,
            timing_ms=TimingMs.of(analysis.timing),
            request_id=request_id,
        )


class Problem(Wire):
    """What went wrong (RFC 9457). `code` is for programs and stays; `detail` is for people."""

    type: str = Field(description="Where the code is explained.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The request's id, as in X-Request-ID and in the log.")
    code: str

    @classmethod
    def of(cls, error: ServiceError, request_id: str) -> Self:
        return cls.about(error.status, error.code, error.title, error.detail, request_id)

    @classmethod
    def about(cls, status: int, code: str, title: str, detail: str, request_id: str) -> Self:
        return cls(
            type=f"/docs#{code}",
            title=title,
            status=status,
            detail=detail,
            instance=request_id,
            code=code,
        )


class BatchPrediction(Wire):
    """For each image, in the order sent, exactly what /predict would have answered for it."""

    results: list[Prediction | Problem]
    request_id: str


class ModelReport(ModelName):
    """One loaded model, as its directory describes it."""

    labels: list[str] | None = Field(description="In the order of the model's output.")
    files: dict[str, str] = Field(description="SHA-256 of each file, checked at start.")
    metrics: dict[str, Any] = Field(description="Measured at release; each figure names its split.")


class Models(Wire):
    """What is loaded."""

    expression: ModelReport
    detector: ModelReport


class Health(Wire):
    """The answer of a probe."""

    status: Literal["live", "ready"]


def _box(face: Face) -> Box:
    x_min, y_min, x_max, y_max = face.box.tolist()
    return Box(
        x=round(x_min, 2),
        y=round(y_min, 2),
        w=round(x_max - x_min, 2),
        h=round(y_max - y_min, 2),
    )


def _landmarks(face: Face) -> Landmarks:
    points = [(round(x, 2), round(y, 2)) for x, y in face.landmarks.tolist()]
    return Landmarks(**dict(zip(Landmarks.model_fields, points, strict=True)))


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
