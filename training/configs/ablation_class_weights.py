"""With each class weighted inversely to its count.

Command:  python -m training.train training/configs/ablation_class_weights.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, class_weights=True)
