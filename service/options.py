"""What a client may ask for in the query string of an image request."""

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from service.errors import InvalidParameter


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
    rotate: bool = Field(
        default=False,
        description="Where no sure face stands upright, look with each other side up too.",
    )

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Raises `InvalidParameter`, naming each parameter that is wrong."""
        try:
            return cls.model_validate(query)
        except ValidationError as error:
            faults = (f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors())
            raise InvalidParameter("; ".join(faults)) from None


class ExplainOptions(Options):
    """The query string of a request for an explanation."""

    label: str | SkipJsonSchema[None] = Field(
        default=None,
        alias="class",
        description="Expression to explain, one of the model's labels; by default the one that "
        "each face shows most.",
    )
    boxes: bool = Field(
        default=True,
        description="Draw each face's box and caption into the picture; JSON has them anyway.",
    )

    def check(self, labels: Sequence[str]) -> None:
        """Raises `InvalidParameter` unless the model knows the label, or none was named."""
        if self.label is not None and self.label not in labels:
            raise InvalidParameter(f"class: expected one of {', '.join(labels)}")
