"""Many runs to one answer: does self-pretraining help on these data?"""
