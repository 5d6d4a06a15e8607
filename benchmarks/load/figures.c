/* See figures.h. */
#include "figures.h"

#include <stdlib.h>
#include <sys/resource.h>

double used(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

void ascend(double *numbers, long count)
{
    qsort(numbers, (size_t)count, sizeof *numbers, ascending);
}

double quantile(double *sorted, long count, double share)
{
    long place = (long)(share * (double)count);
    return count ? sorted[place < count ? place : count - 1] : 0;
}
