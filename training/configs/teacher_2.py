"""The second teacher: another seed and half the weight decay, since unlike ones know more together.

Command:  python -m training.train training/configs/teacher_2.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import teacher_1

config = replace(teacher_1.config, seed=1, weight_decay=2.5e-3)
