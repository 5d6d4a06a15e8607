/* What the slow disk's page cache holds: blocks of files, by inode. See slowdisk.c. */
#ifndef PAGECACHE_H
#define PAGECACHE_H

#include <stdatomic.h>
#include <stdint.h>

enum { BLOCK = 64 << 10, SLOTS = 1 << 17 };

/* Each slot holds the inode and block that came there last. */
static atomic_ulong cached[SLOTS];

static atomic_ulong *slot(uint64_t inode, uint64_t block, unsigned long *name)
{
    *name = inode << 32 | (block + 1);
    return &cached[(inode * 7919 + block) % SLOTS];
}

static int is_cached(uint64_t inode, uint64_t at, uint64_t size)
{
    unsigned long name;
    for (uint64_t block = at / BLOCK; size && block <= (at + size - 1) / BLOCK; block++)
        if (*slot(inode, block, &name) != name)
            return 0;
    return 1;
}

static void cache(uint64_t inode, uint64_t at, uint64_t size)
{
    unsigned long name;
    for (uint64_t block = at / BLOCK; size && block <= (at + size - 1) / BLOCK; block++) {
        atomic_ulong *place = slot(inode, block, &name);
        *place = name;
    }
}

#endif
