"""Twice as long.

Command:  python -m training.train training/configs/ablation_epochs.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(reference, epochs=2 * reference.epochs)
