"""Without FER+'s votes: the labels of FER-2013 alone.

Command:  python -m training.train training/configs/ablation_ferplus.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, ferplus_weight=0.0)
