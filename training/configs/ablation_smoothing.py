"""Without label smoothing.

Command:  python -m training.train training/configs/ablation_smoothing.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, label_smoothing=0.0)
