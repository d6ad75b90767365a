"""What the OpenAPI document says beyond what types say: request bodies, problems, examples."""

import inspect
from typing import Any

from service.errors import ModelError, ServiceError, Unauthorized, Unavailable, UndecodableImage
from service.options import Options
from service.schemas import Problem
from service.uploads import IMAGE_TYPES

Document = dict[str, Any]
Responses = dict[int | str, Document]

_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"

# The answers to tests/data/astronaut.jpg.
PREDICTION: Document = {
    "faces": [
        {
            "box": {"x": 180.14, "y": 66.22, "w": 93.49, "h": 108.21},
            "face_confidence": 0.8882,
            "landmarks": {
                "right_eye": [204.88, 104.48],
                "left_eye": [247.01, 106.73],
                "nose": [223.25, 128.1],
                "mouth_right": [206.66, 145.53],
                "mouth_left": [240.49, 147.29],
            },
            "dominant_emotion": "happy",
            "confidence": 0.9412332,
            "uncertain": False,
            "emotion": {
                "angry": 0.0099795,
                "disgust": 0.0072141,
                "fear": 0.0085014,
                "happy": 0.9412332,
                "sad": 0.0082727,
                "surprise": 0.0107351,
                "neutral": 0.0140641,
            },
        }
    ],
    "image": {"width": 512, "height": 512},
    "model": {"name": "expression", "version": "2.0.0"},
    "timing_ms": {
        "decode": 1.644,
        "detect": 8.077,
        "queue": 0.26,
        "inference": 1.997,
        "total": 12.232,
    },
    "request_id": _REQUEST_ID,
}

EXPLANATION: Document = {
    **PREDICTION,
    "faces": [
        {
            **PREDICTION["faces"][0],
            "heat": {
                "class": "happy",
                "frame": {"x": 168.32, "y": 60.12, "w": 116.9, "h": 116.9},
                "roll": 0.0,
                "size": [6, 6],
                "values": [
                    [0.0, 0.0, 0.0002, 0.0, 0.0, 0.0],
                    [0.0004, 0.0676, 0.2123, 0.1134, 0.0178, 0.0],
                    [0.0842, 0.5192, 1.0, 0.7681, 0.2054, 0.0278],
                    [0.1004, 0.484, 0.801, 0.7114, 0.2204, 0.0197],
                    [0.0096, 0.1995, 0.4965, 0.2361, 0.053, 0.0001],
                    [0.0, 0.0116, 0.1078, 0.0973, 0.0139, 0.0],
                ],
            },
        }
    ],
}

BATCH: Document = {
    "results": [
        PREDICTION,
        Problem.of(
            UndecodableImage("The image is damaged or incomplete."), _REQUEST_ID
        ).model_dump(),
    ],
    "request_id": _REQUEST_ID,
}

MODELS: Document = {
    "expression": {
        "name": "expression",
        "version": "2.0.0",
        "labels": list(PREDICTION["faces"][0]["emotion"]),
        "precision": "int8",
        "uncertain_below": 0.815,
        "files": {"model.onnx": "5f1c" * 16, "model.int8.onnx": "90d2" * 16},
        "metrics": {"splits": {"PrivateTest": {"images": 3589, "accuracy": 0.7119}}},
    },
    "detector": {
        "name": "face-detector",
        "version": "2.0.0",
        "labels": None,
        "precision": "int8",
        "uncertain_below": None,
        "files": {"model.onnx": "a07b" * 16, "model.int8.onnx": "3e8c" * 16},
        "metrics": {},
    },
}


def image_request(options: type[Options] = Options) -> Document:
    """One image: the body itself, or one field of a form."""
    raw = {kind: {"schema": _binary(kind)} for kind in IMAGE_TYPES}
    return _request(raw | _form({"file": _binary("image/*")}), options)


def images_request() -> Document:
    """Several images: a form that repeats one field."""
    files = {"type": "array", "items": _binary("image/*"), "minItems": 1}
    return _request(_form({"files": files}), Options)


def answer(example: Document) -> Responses:
    """A 200 with an example."""
    return {200: {"content": {"application/json": {"example": example}}}}


def explanation() -> Responses:
    """A 200 with an example, or with the picture."""
    responses = answer(EXPLANATION)
    responses[200]["content"]["image/png"] = {"schema": _binary("image/png")}
    return responses


def metrics() -> Responses:
    """Prometheus' text, with an example."""
    example = 'mien_requests_total{method="POST",route="/predict",status="200"} 1.0\n'
    return {200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": example}}}}


def problems(*errors: type[ServiceError]) -> Responses:
    """The answers for `errors`, one for each status, with an example for each code."""
    responses: Responses = {}
    for error in errors:
        response = responses.setdefault(error.status, {"description": "", "content": {}})
        response["description"] += f"`{error.code}`: {_sentence(error)}\n\n"
        content = response["content"].setdefault(
            "application/problem+json",
            {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}, "examples": {}},
        )
        example = Problem.of(error(_sentence(error)), _REQUEST_ID).model_dump()
        content["examples"][error.code] = {"summary": error.title, "value": example}
    return responses


def ask_for_key(document: Document) -> None:
    """Writes into the document that its image requests want a key, and how one is sent."""
    schemes: Document = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    document["components"]["securitySchemes"] = schemes
    for operations in document["paths"].values():
        for operation in operations.values():
            if str(Unauthorized.status) in operation["responses"]:
                operation["security"] = [{name: []} for name in schemes]


def description() -> str:
    """The text at the top of the document, with an anchor for each problem code."""
    rows = [
        f'| <span id="{error.code}">`{error.code}`</span> | {error.status} | {_sentence(error)} |'
        for error in _tree(ServiceError)
        if error not in _NO_ANSWERS
    ]
    return "\n".join([_INTRODUCTION, *rows])


# The first is only the common ground of three others; the second ends the start.
_NO_ANSWERS = (Unavailable, ModelError)

_INTRODUCTION = """\
Finds the faces in a photo and tells which of seven expressions each one shows.

Send an image as the request's body, or as the field `file` of a form. No image is stored or
logged. Every error is a problem (RFC 9457) with one of these codes:

| code | status | meaning |
|---|---|---|
| <span id="not_found">`not_found`</span> | 404 | There is nothing at this path. |
| <span id="method_not_allowed">`method_not_allowed`</span> | 405 | Not a method of this path. |"""


def _tree(error: type[ServiceError]) -> list[type[ServiceError]]:
    return [error, *(leaf for branch in error.__subclasses__() for leaf in _tree(branch))]


def _sentence(error: type[ServiceError]) -> str:
    return (inspect.getdoc(error) or error.title).partition("\n")[0]


def _binary(media_type: str) -> Document:
    # OpenAPI 3.1 needs no format; Swagger UI does, to offer a choice of files for a list.
    return {"type": "string", "format": "binary", "contentMediaType": media_type}


def _form(properties: Document) -> Document:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"multipart/form-data": {"schema": schema}}


def _request(content: Document, options: type[Options]) -> Document:
    properties = options.model_json_schema()["properties"]
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": schema.pop("description"),
                # A default of null is none: Swagger UI would send it as a word.
                "schema": {key: value for key, value in schema.items() if value is not None},
            }
            for name, schema in properties.items()
        ],
        "requestBody": {"required": True, "content": content},
    }
