"""The second teacher: the first one with another seed, since an ensemble knows more than its best.

Command:  python -m training.train training/configs/teacher_2.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import teacher_1

config = replace(teacher_1.config, seed=1)
