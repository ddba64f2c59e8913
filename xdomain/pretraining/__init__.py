"""The parts of pre-training: plan, streams, masking, objectives, engine, folder and card."""
