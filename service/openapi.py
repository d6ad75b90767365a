"""What the OpenAPI document says beyond what types say: request bodies, problems, examples."""

import inspect
from typing import Any

from service.errors import ModelError, ServiceError, Unavailable
from service.schemas import Options, Problem
from service.uploads import IMAGE_TYPES

Document = dict[str, Any]
Responses = dict[int | str, Document]

_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"

PREDICTION: Document = {
    "faces": [
        {
            "box": {"x": 212.4, "y": 88.0, "w": 131.2, "h": 131.2},
            "face_confidence": 0.97,
            "landmarks": {
                "right_eye": [240.1, 130.2],
                "left_eye": [300.8, 129.5],
                "nose": [271.3, 160.4],
                "mouth_right": [247.9, 188.0],
                "mouth_left": [295.2, 187.1],
            },
            "dominant_emotion": "happy",
            "confidence": 0.94,
            "emotion": {
                "angry": 0.002,
                "disgust": 0.001,
                "fear": 0.007,
                "happy": 0.94,
                "sad": 0.01,
                "surprise": 0.02,
                "neutral": 0.02,
            },
        }
    ],
    "image": {"width": 640, "height": 480},
    "model": {"name": "expression", "version": "1.0.0"},
    "timing_ms": {"decode": 2.1, "detect": 5.0, "queue": 0.1, "inference": 0.9, "total": 8.8},
    "request_id": _REQUEST_ID,
}


def image_request() -> Document:
    """One image: the body itself, or one field of a form."""
    raw = {kind: {"schema": _binary(kind)} for kind in IMAGE_TYPES}
    return _request(raw | _form({"file": _binary("image/*")}))


def images_request() -> Document:
    """Several images: a form that repeats one field."""
    files = {"type": "array", "items": _binary("image/*"), "minItems": 1}
    return _request(_form({"files": files}))


def prediction(example: Document) -> Responses:
    """A 200 with an example."""
    return {200: {"content": {"application/json": {"example": example}}}}


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

Send an image as the request's body, or as the field `file` of a form. Nothing that is sent is
stored or logged. Every answer other than 2xx is a problem (RFC 9457) with one of these codes:

| code | status | meaning |
|---|---|---|
| <span id="not_found">`not_found`</span> | 404 | There is nothing at this path. |
| <span id="method_not_allowed">`method_not_allowed`</span> | 405 | Not a method of this path. |"""


def _tree(error: type[ServiceError]) -> list[type[ServiceError]]:
    return [error, *(leaf for branch in error.__subclasses__() for leaf in _tree(branch))]


def _sentence(error: type[ServiceError]) -> str:
    return (inspect.getdoc(error) or error.title).partition("\n")[0]


def _binary(media_type: str) -> Document:
    return {"type": "string", "contentMediaType": media_type}


def _form(properties: Document) -> Document:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"multipart/form-data": {"schema": schema}}


def _request(content: Document) -> Document:
    options = Options.model_json_schema()["properties"]
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "description": schema.pop("description"),
                "schema": schema,
            }
            for name, schema in options.items()
        ],
        "requestBody": {"required": True, "content": content},
    }
