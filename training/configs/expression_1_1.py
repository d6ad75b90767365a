"""The released network goes on: steadier against how a face is framed, with itself as teacher.

Faces that a detector finds are framed less evenly than the data set's, and 1.0 loses points by
that: here shift and scale vary as much as a detector's boxes do. What 1.0 says of a view and of
its mirror image is learnt beside the labels (Furlanello et al. 2018, "Born-Again Neural Networks",
arXiv 1805.04770); on PublicTest the mean of the two is right half a point more often than one.

It did not help, and is not released: as right as 1.0 on the originals, and on what is found in
scenes it lost 1.75 points where 1.0 lost .98.

Command:  python -m training.train training/configs/expression_1_1.py --data FER2013.npz
Time:     half an hour on two cores (TensorFlow, AVX2)
Score:    69.7 % on PublicTest
"""

from dataclasses import replace

from training.configs import expression_1_0

config = replace(
    expression_1_0.config,
    epochs=7,
    # A sixth of what 1.0 began with: enough to move, little enough to keep what it knows.
    learning_rate=0.008,
    warmup_epochs=0.5,
    seed=1,
    precision="float32",
    start="models/expression-1.0.0",
    teachers=("models/expression-1.0.0",),
    teacher_weight=0.5,
    teacher_temperature=2.0,
    augmentation=replace(
        expression_1_0.config.augmentation, shift=0.1, scale=0.2, erasing_share=0.35
    ),
)
