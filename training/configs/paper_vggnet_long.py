"""VGGNet for more epochs than paper_vggnet.py, which has the recipe: for a GPU.

Command:  python -m training.train training/configs/paper_vggnet_long.py --data FER2013.npz
          python -m training.export runs/paper_vggnet_long --data FER2013.npz
Budget:   100 epochs; 10 minutes on an H200 that eight runs share (KERAS_BACKEND=jax)
"""

from dataclasses import replace

from training.configs.paper_vggnet import config as vggnet

config = replace(vggnet, epochs=100)
