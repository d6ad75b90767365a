"""With mixup (Zhang et al. 2018).

Command:  python -m training.train training/configs/ablation_mixup.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, mixup=0.2)
