"""With a fifth of the weight decay.

Command:  python -m training.train training/configs/ablation_weight_decay.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, weight_decay=reference.weight_decay / 5)
