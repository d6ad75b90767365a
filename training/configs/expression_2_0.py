"""The released network: 147 million MACs that learnt three teachers' mean answer, with patience.

The student sees what its teachers saw, and long: Beyer et al. 2021 (arXiv 2106.05237) find that
this is what distillation needs.

Command:  python -m training.train training/configs/expression_2_0.py --data FER2013.npz
Time:     6.5 minutes on an H200 that seven runs share, after its teachers (KERAS_BACKEND=jax)
Score:    70.9 % on PublicTest
"""

from dataclasses import replace

from training.configs import teacher_1

config = replace(
    teacher_1.config,
    architecture={"widths": (48, 112, 240), "depths": (1, 2, 2), "dropout": 0.1},
    epochs=200,
    weight_decay=2.5e-3,
    teachers=("runs/teacher_1", "runs/teacher_2", "runs/teacher_3"),
    teacher_weight=0.8,
    teacher_temperature=3.0,
)
