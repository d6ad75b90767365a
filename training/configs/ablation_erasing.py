"""Without random erasing.

Command:  python -m training.train training/configs/ablation_erasing.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, augmentation=replace(reference.augmentation, erasing_share=0.0))
