"""The paper's network without balancing, and with mirroring alone.

Command:  python -m training.train training/configs/paper_proposed_mirrored.py --data FER2013.npz
          python -m training.export runs/paper_proposed_mirrored --data FER2013.npz
Budget:   100 epochs; 7 minutes on an H200 that six runs share (KERAS_BACKEND=jax)

No rotation, zoom or change of brightness. All else is as in paper_proposed_unweighted.py.
"""

from dataclasses import replace

from training.config import Augmentation
from training.configs.paper_proposed_unweighted import config as unweighted

config = replace(unweighted, augmentation=Augmentation())
