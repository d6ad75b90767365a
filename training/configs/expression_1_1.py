"""The released network born again: what 1.0 learnt from labels, learnt from labels and from 1.0.

A network that is taught by another of its own kind does better than it (Furlanello et al. 2018,
"Born-Again Neural Networks", arXiv 1805.04770). Here the teacher speaks for both a view and its
mirror image; on PublicTest that alone is worth half a point. runs/expression_1_0 comes first.

Command:  python -m training.train training/configs/expression_1_1.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import expression_1_0

config = replace(
    expression_1_0.config,
    epochs=50,
    seed=1,
    teachers=("runs/expression_1_0",),
    teacher_weight=0.7,
    teacher_temperature=2.0,
)
