"""What a GPU can make of 149 million MACs: two teachers' mean answer, learnt with patience.

For a machine with a GPU; nobody has run it yet, so there is no time or score to expect. The
teachers' runs, runs/teacher_1 and runs/teacher_2, come first. The student sees what they saw, and
long: Beyer et al. 2021 (arXiv 2106.05237) find that this is what distillation needs.

Command:  python -m training.train training/configs/student_1.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs import teacher_1

config = replace(
    teacher_1.config,
    architecture={"widths": (56, 112, 224), "depths": (1, 2, 2), "dropout": 0.1},
    epochs=250,
    teachers=("runs/teacher_1", "runs/teacher_2"),
    teacher_weight=0.8,
    teacher_temperature=3.0,
)
