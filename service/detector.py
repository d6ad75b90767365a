"""Finds the faces in a photo: how often it is looked at, how it is shown, and what counts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service import cells, centerface
from service.candidates import Candidates, Floats, iou, strongest
from service.errors import ModelError
from service.faces import Face, Framing
from service.refiner import FaceRefiner
from service.session import (
    REFINER,
    DetectionConfig,
    Runnable,
    Session,
    WantedPrecision,
    load_session,
)

# What becomes of a graph's outputs and the canvas's (height, width), in pixels of the canvas.
Decode = Callable[[list[Floats], tuple[int, int], DetectionConfig], Candidates]
DECODERS: dict[tuple[str, ...], Decode] = {
    tuple(kind.OUTPUTS): kind.decode for kind in (centerface, cells)
}

# Small pictures are enlarged, because small faces are found better so, but not more than this: of
# 48 px face crops 97 % are found at 160 px and 89 % at 320 px.
MAX_ENLARGEMENT = 2.0

# Of one look. A crowd has some hundred; comparing each with each costs the square of that.
_MOST = 1000


class FaceDetector:
    """Finds faces. Any number of threads may use it at once.

    Raises `ModelError` when the session's model is no face detector.
    """

    def __init__(self, session: Runnable, refiner: FaceRefiner | None = None) -> None:
        """`refiner` takes the second look, which some models want."""
        config = session.config
        decode = DECODERS.get(tuple(config.outputs))
        if config.detection is None or decode is None:
            raise ModelError(
                f"{config.name} {config.version}: expected a face detector with the outputs "
                f"{' or '.join(str(list(names)) for names in DECODERS)}, found {config.outputs} "
                f"and detection {config.detection}"
            )
        if (config.detection.refinement is None) != (refiner is None):
            raise ModelError(
                f"{config.name} {config.version}: expected a refiner where the config has a "
                f"refinement, and only there, found {refiner} and {config.detection.refinement}"
            )
        self._session = session
        self._refiner = refiner
        self._decode = decode
        self._detection = config.detection
        self._multiple_of = config.input.multiple_of

    @property
    def framing(self) -> Framing:
        """How the boxes lie in the classifier's frames."""
        return self._detection.framing

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of each file of its graphs, as their configs have it, by the path from here."""
        files = dict(self._session.config.files)
        if self._refiner is not None:
            second = self._refiner.config.files
            files |= {f"{REFINER}/{name}": checksum for name, checksum in second.items()}
        return files

    def detect(
        self,
        image: NDArray[np.uint8],
        *,
        min_face_size: float = 20,
        max_faces: int = 100,
        rotate: bool = False,
    ) -> list[Face]:
        """The faces in an upright image (height, width, 3) uint8 RGB, the largest first.

        `min_face_size` is the least longer side of a box, in pixels. With `rotate`, an image in
        which the surest face does not stand upright, or none is sure, is looked at in the three
        other orientations too, and the one with the surest face counts. What is no face looks like
        one more often when it is turned, so a face there has to be surer. Raises `InferenceFailed`.
        """
        found, turns = self._look(image, min_face_size), 0
        if rotate and not self._upright(found):
            looks = [found, *(self._look(np.rot90(image, n), min_face_size) for n in range(1, 4))]
            surest = np.array([look.scores.max(initial=0) for look in looks])
            surest[1:] *= surest[1:] >= self._detection.turned_threshold
            turns = int(surest.argmax())
            found = looks[turns]
            for n in reversed(range(turns)):
                found = found.turned_back(np.rot90(image, n).shape[1])
        largest_first = np.argsort(-found.sizes.prod(axis=1), kind="stable")[:max_faces]
        return [
            Face(box, landmarks, float(score), turns)
            for box, landmarks, score in zip(*found.take(largest_first), strict=True)
        ]

    def _look(self, image: NDArray[np.uint8], min_face_size: float) -> Candidates:
        """The faces of an image as it stands, in one pass, or more where they pay.

        Where nothing is found, a coarser pass costs a quarter and finds faces that fill the image.
        In a large photo in which still nothing is found, or small faces only, a finer pass costs
        four times the first and finds what is small. That makes three passes at most, and what a
        second look judges comes on top. In the end
        the surest face of all counts, even if it is not as sure as one among others has to be.
        """
        config = self._detection
        passes = [self._pass(image, config.input_side)]
        found = self._sure(passes[-1])
        if not len(found.scores):
            passes.append(self._pass(image, config.coarse_side))
            found = self._sure(passes[-1])
        longest = max(image.shape)
        small = config.small_face * longest
        # At exactly that side, as of 640 x 480, it pays for photos without any face only.
        large = longest > config.fine_side - (not len(found.scores))
        if large and max(min_face_size, found.sizes.max(initial=0)) < small:
            passes.append(self._pass(image, config.fine_side))
            found = self._sure(passes[-1])
        if not len(found.scores):
            surest = max(passes, key=lambda seen: seen.scores.max(initial=0))
            found = surest.take(np.argsort(-surest.scores)[:1])
        return found.take(found.sizes.max(axis=1) >= min_face_size)

    def _sure(self, seen: Candidates) -> Candidates:
        return seen.take(seen.scores >= self._detection.score_threshold)

    def _upright(self, found: Candidates) -> bool:
        """Whether the surest face is sure, and has its mouth below its eyes."""
        if found.scores.max(initial=0) < self._detection.score_threshold:
            return False
        points = found.landmarks[found.scores.argmax()]
        across, down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
        return bool(down > abs(across))

    def _pass(self, image: NDArray[np.uint8], side: int) -> Candidates:
        """All that may be faces with a longest side of `side` pixels, cut to the image."""
        height, width, _ = image.shape
        found = self._candidates(image, side)
        found = found.take(strongest(found.boxes, found.scores, self._detection.nms_iou))
        limits = np.array([width, height, width, height], np.float32)
        found = found._replace(boxes=found.boxes.clip(0, limits))
        # A face centred in the padding has no part in the image.
        return found.take(found.sizes.min(axis=1) > 0)

    def _candidates(self, image: NDArray[np.uint8], side: int) -> Candidates:
        """What the graph sees at that size, overlaps, padding and all."""
        canvas, factors = _fit(image, side, self._multiple_of)
        outputs = self._session.run(canvas[None])
        height, width, _ = canvas.shape
        found = self._decode(outputs, (height, width), self._detection).foremost(_MOST)
        return self._refined(image, found.scaled(factors))

    def _refined(self, image: NDArray[np.uint8], proposed: Candidates) -> Candidates:
        """What the second look makes of the best of them, if this detector takes one."""
        config, refinement = self._detection, self._detection.refinement
        if self._refiner is None or refinement is None:
            return proposed
        best = strongest(proposed.boxes, proposed.scores, config.nms_iou)
        count = int((proposed.scores[best] >= refinement.proposed_from).sum())
        if proposed.scores.max(initial=0) < refinement.sure_from:
            count = max(count, refinement.least)
        proposed = proposed.take(best[: min(count, refinement.most)])
        found = self._refiner.refine(image, proposed)
        best = strongest(found.boxes, found.scores, config.nms_iou)
        count = int((found.scores[best] >= refinement.again_from).sum())
        best = best[: max(count, 1)]
        # A proposal may lie beside its face. Seen where the face is, it is judged better: few pass
        # the first judgement and lie elsewhere, so this costs little.
        settled = (found.scores[best] >= refinement.sure_from) & (
            iou(found.boxes[best], proposed.boxes[best]) >= refinement.settled_iou
        )
        again = self._refiner.refine(image, found.take(best[~settled]))
        found = found.take(best[settled]).joined(again)
        return found.take(found.scores >= config.lone_threshold)


def load_detector(
    model_dir: Path, *, precision: WantedPrecision = "fp32"
) -> tuple[Session, FaceDetector]:
    """A face detector's first session and the whole of it. Raises `ModelError`."""
    session = load_session(model_dir, precision=precision)
    detection = session.config.detection
    if detection is None or detection.refinement is None:
        return session, FaceDetector(session)
    # The second look places the boxes, which bytes may be too coarse for: it need not have them.
    either: WantedPrecision = "auto" if precision == "int8" else precision
    refiner = load_session(model_dir / REFINER, precision=either)
    if refiner.config.version != session.config.version:
        raise ModelError(
            f"{model_dir / REFINER}: expected version {session.config.version}, which the detector "
            f"has, found {refiner.config.version}"
        )
    return session, FaceDetector(session, FaceRefiner(refiner))


def _fit(image: NDArray[np.uint8], side: int, multiple_of: int) -> tuple[NDArray[np.uint8], Floats]:
    """The image with a longest side of `side`, black to the right and below up to `multiple_of`.

    Also the factors (2,) that lead from pixels of the canvas back to those of the image, in x and
    y. The proportions are kept: CenterFace's authors stretch instead, which would make a panorama's
    faces up to twice as high.
    """
    height, width, _ = image.shape
    scale = min(side / max(height, width), MAX_ENLARGEMENT)
    inner_height, inner_width = max(1, round(height * scale)), max(1, round(width * scale))
    # reducing_gap=1 averages whole blocks of pixels first: as good on faces, a third of the time.
    inner = Image.fromarray(image).resize(
        (inner_width, inner_height), Image.Resampling.BILINEAR, reducing_gap=1.0
    )
    below, beside = -inner_height % multiple_of, -inner_width % multiple_of
    canvas = np.asarray(inner)
    if below or beside:
        canvas = np.pad(canvas, ((0, below), (0, beside), (0, 0)))
    return canvas, np.array([width / inner_width, height / inner_height], np.float32)
