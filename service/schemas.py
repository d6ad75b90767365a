"""What goes over the wire: the models of every JSON answer, made from what the pipeline found."""

from collections.abc import Sequence
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from service.analysis import Analysis, ExplainedAnalysis, FaceExpression
from service.errors import ServiceError
from service.explainer import Heat
from service.faces import Face
from service.session import Precision
from service.timing import Timing

Point = tuple[float, float]


class Wire(BaseModel):
    """The common ground of all answers: made once, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
    uncertain: bool = Field(description="Whether the confidence is below the model's threshold.")
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
            uncertain=found.uncertain,
            emotion=dict(zip(labels, probabilities, strict=True)),
        )


class HeatMap(Wire):
    """Where a face spoke for an expression."""

    label: str = Field(alias="class", description="The expression that is explained.")
    frame: Box = Field(description="What the map covers; it may reach out of the image.")
    roll: float = Field(description="Degrees that it is turned clockwise around its middle.")
    size: tuple[int, int] = Field(description="Rows and columns of `values`.")
    values: list[list[float]] = Field(
        description="Row by row: 1 where most spoke for the expression, 0 where nothing did. "
        "All are 0 if nothing in the face spoke for it."
    )

    model_config = ConfigDict(validate_by_name=True, serialize_by_alias=True)

    @classmethod
    def of(cls, heat: Heat) -> Self:
        left, top, side = (round(value, 2) for value in heat.frame)
        height, width = heat.values.shape
        return cls(
            label=heat.label,
            frame=Box(x=left, y=top, w=side, h=side),
            roll=round(heat.roll, 1),
            size=(height, width),
            values=[[round(value, 4) for value in row] for row in heat.values.tolist()],
        )


class ExplainedFace(FacePrediction):
    """One face, the expression it shows, and where it shows it."""

    heat: HeatMap


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


FaceType = TypeVar("FaceType", bound=FacePrediction)


class _Answer(Wire, Generic[FaceType]):
    faces: list[FaceType]
    image: ImageSize
    model: ModelName
    timing_ms: TimingMs
    request_id: str

    @classmethod
    def _with(
        cls, faces: list[FaceType], analysis: Analysis, model: ModelName, request_id: str
    ) -> Self:
        return cls(
            faces=faces,
            image=ImageSize(width=analysis.width, height=analysis.height),
            model=model,
            timing_ms=TimingMs.of(analysis.timing),
            request_id=request_id,
        )


class Prediction(_Answer[FacePrediction]):
    """The faces of one image, the largest first, and the expression each one shows."""

    @classmethod
    def of(
        cls, analysis: Analysis, labels: Sequence[str], model: ModelName, request_id: str
    ) -> Self:
        whole = _whole(analysis)
        faces = [FacePrediction.of(found, labels, whole) for found in analysis.faces]
        return cls._with(faces, analysis, model, request_id)


class Explanation(_Answer[ExplainedFace]):
    """The same, and where each face shows the expression that is explained."""

    @classmethod
    def of(
        cls, explained: ExplainedAnalysis, labels: Sequence[str], model: ModelName, request_id: str
    ) -> Self:
        analysis, whole = explained.analysis, _whole(explained.analysis)
        faces = [
            ExplainedFace(**dict(FacePrediction.of(found, labels, whole)), heat=HeatMap.of(heat))
            for found, heat in zip(analysis.faces, explained.heats, strict=True)
        ]
        return cls._with(faces, analysis, model, request_id)


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
    precision: Precision = Field(description="Which of its graphs runs.")
    uncertain_below: float | None = Field(description="Confidence below which a face is uncertain.")
    files: dict[str, str] = Field(description="SHA-256 of each file, checked at start.")
    metrics: dict[str, Any] = Field(description="Measured at release; each figure names its split.")


class Models(Wire):
    """What is loaded."""

    expression: ModelReport
    detector: ModelReport


class Health(Wire):
    """The answer of a probe."""

    status: Literal["live", "ready"]


def _whole(analysis: Analysis) -> Box:
    """The box of an image that was taken as one face."""
    return Box(x=0, y=0, w=analysis.width, h=analysis.height)


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
