"""Face detectors: CenterFace, which is released as it is, and our own, which it teaches.

    python -m training.detector label --photos PHOTOS       what CenterFace sees in them
    python -m training.detector train --photos PHOTOS       our own detector, from that
    python -m training.detector refine --photos PHOTOS --data FER2013.npz       its second look
    python -m training.detector evaluate --photos PHOTOS    how good it is on photos held back
    python -m training.detector release --photos PHOTOS --data FER2013.npz --out MODEL_DIR
    python -m training.detector --out models/face-detector-1.1.0 ...    release CenterFace
    python -m training.detector --fit ...                   measure its framing again

Each tells more with --help. PHOTOS is a folder or a .zip; --smoke rehearses with 48 of them.
"""

import importlib
import os
import sys

# Each is a module with a `main`. What one needs, another may lack: a GPU, TensorFlow, ONNX.
VERBS = {
    "label": "training.photo_set",
    "train": "training.detector_train",
    "refine": "training.refiner_train",
    "evaluate": "training.detector_evaluate",
    "release": "training.detector_release",
}
CENTERFACE = "training.centerface_release"


def main(arguments: list[str]) -> None:
    match arguments:
        case [verb, *rest] if verb in VERBS:
            importlib.import_module(VERBS[verb]).main(rest)
        case [option, *_] if option.startswith("--") and option != "--help":
            importlib.import_module(CENTERFACE).main(arguments)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main(sys.argv[1:])
