"""The paper's network without balancing, at a rate that stays.

Command:  python -m training.train training/configs/paper_proposed_constant.py --data FER2013.npz
          python -m training.export runs/paper_proposed_constant --data FER2013.npz
Budget:   100 epochs; 5 minutes on an H200 that four runs share (KERAS_BACKEND=jax)

The paper's rate falls "with decay" and does not say how far. All else is as in
paper_proposed_unweighted.py.
"""

from dataclasses import replace

from training.configs.paper_proposed_unweighted import config as unweighted

config = replace(unweighted, final_learning_rate_share=1.0)
