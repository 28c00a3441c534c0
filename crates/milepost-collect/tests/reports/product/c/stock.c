#include "stock.h"

const char *state(int count)
{
    if (count > 100)
        return "plenty";
    if (count > 10)
        return "some";
    return count > 0 ? "few" : "none";
}

int reorder(int count, int least, int packed)
{
    int missing = least - count;
    if (missing <= 0)
        return 0;
    if (packed > 1 && missing % packed != 0)
        missing += packed - missing % packed;
    return missing;
}
