"""Mirrored images are the only augmentation.

Command:  python -m training.train training/configs/ablation_flip.py --data FER2013.npz
"""

from dataclasses import replace

from training.config import Augmentation
from training.configs.ablation import config as reference

config = replace(reference, augmentation=Augmentation())
