#include "stock.h"
#include <stdio.h>

static int unused(int x)
{
    return x * 2;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return unused(argc);
    printf("%s %s %d\n", state(200), state(5), reorder(5, 7, 6));
    return 0;
}
