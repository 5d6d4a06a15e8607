/* The CPU time used so far, and order in numbers. */
#ifndef FIGURES_H
#define FIGURES_H

double used(void);
void ascend(double *numbers, long count);
double quantile(double *ascending, long count, double share);

#endif
