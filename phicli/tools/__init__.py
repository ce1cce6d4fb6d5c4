"""Tools that a model may call: read from files, declared as the model knows them, and their calls checked."""
