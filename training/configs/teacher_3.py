"""The third teacher: the first one with another seed.

Command:  python -m training.train training/configs/teacher_3.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import teacher_1

config = replace(teacher_1.config, seed=2)
