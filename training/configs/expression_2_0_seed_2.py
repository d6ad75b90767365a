"""expression_2_0.py once more with another seed: how much is chance.

Command:  python -m training.train training/configs/expression_2_0_seed_2.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import expression_2_0

config = replace(expression_2_0.config, seed=2)
