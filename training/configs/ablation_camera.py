"""Without what light, lenses and storage do to a photo; framing and erasing stay.

Command:  python -m training.train training/configs/ablation_camera.py --data FER2013.npz
"""

from dataclasses import replace

from training.configs.ablation import config as reference

config = replace(
    reference,
    augmentation=replace(
        reference.augmentation,
        brightness=0.0,
        contrast=0.0,
        gamma=0.0,
        low_resolution_share=0.0,
        blur_share=0.0,
        noise_share=0.0,
        jpeg_share=0.0,
    ),
)
