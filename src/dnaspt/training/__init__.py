"""Training: the one loop, what pretraining and fine-tuning give it, and the run folders that it writes.

`pretrain` and `finetune` check everything before torch is imported; `train_language_model` and `train_task_model` are their torch
parts; `loop` steps the optimizer by the `schedule`; `run_folder` and `run_checkpoints` write, `runs` reads what is there.
"""
