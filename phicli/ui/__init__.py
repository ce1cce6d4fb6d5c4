"""The only home of printing: terminals, progress, answers, the JSON envelope."""
