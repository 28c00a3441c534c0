const char *state(int count);
int reorder(int count, int least, int packed);
