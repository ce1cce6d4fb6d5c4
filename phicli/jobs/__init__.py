"""Many questions, asked several at a time: what was answered is saved at once, so that a job can be continued."""
