/* A driver of CUDA for two devices that are not there.

   Memory is the host's, copies are made at once, kernels are not run. What is asked of it is written
   to stderr, so that a test can hold the order of things against what it should be. What is not
   defined here does nothing and succeeds. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int Status;
typedef uintptr_t Handle;
enum { INVALID = 1, OUT_OF_MEMORY = 2, NO_CONTEXT = 201, FIRST_CONTEXT = 0x1000 };
#define SAY(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr))

static _Thread_local Handle contexts[64];
static _Thread_local int depth;
static struct {
    char *start;
    size_t size;
} blocks[4096];
static int number_of_blocks;
static size_t used;
static Handle next = 0x5000;

static int device(void) { return depth ? (int)(contexts[depth - 1] - FIRST_CONTEXT) : -1; }
static size_t capacity(void) {
    char *said = getenv("DEVICE_MEMORY");
    return said ? strtoull(said, 0, 10) : 1ull << 30;
}
static Status nothing(void) { return 0; }

Status cuInit(unsigned flags) { return 0; }
Status cuDriverGetVersion(int *version) { *version = 13000; return 0; }
Status cuDeviceGetCount(int *number) { *number = 2; return 0; }
Status cuDeviceGet(int *which, int number) { *which = number; return 0; }
Status cuDeviceGetName(char *name, int length, int which) {
    snprintf(name, length, "none %d", which);
    return 0;
}
Status cuDeviceGetUuid_v2(char *uuid, int which) { memset(uuid, which + 1, 16); return 0; }
Status cuDeviceGetAttribute(int *value, int attribute, int which) {
    enum { SHARED = 8, WARP = 10, MAJOR = 75, MINOR = 76 };
    *value = attribute == MAJOR    ? 9
             : attribute == MINOR  ? 0
             : attribute == WARP   ? 32
             : attribute == SHARED ? 49152
                                   : 1024;
    return 0;
}

Status cuDevicePrimaryCtxRetain(Handle *context, int which) {
    *context = FIRST_CONTEXT + which;
    return 0;
}
Status cuCtxPushCurrent_v2(Handle context) { contexts[depth++] = context; return 0; }
Status cuCtxPopCurrent_v2(Handle *context) {
    if (!depth) return NO_CONTEXT;
    *context = contexts[--depth];
    return 0;
}
Status cuCtxSetCurrent(Handle context) {
    if (!depth) depth = 1;
    contexts[depth - 1] = context;
    return 0;
}
Status cuCtxGetCurrent(Handle *context) { *context = depth ? contexts[depth - 1] : 0; return 0; }
Status cuCtxGetDevice(int *which) { if (!depth) return NO_CONTEXT; *which = device(); return 0; }

Status cuMemGetInfo_v2(size_t *left, size_t *total) {
    *total = capacity();
    *left = *total - used;
    return 0;
}
Status cuMemAlloc_v2(Handle *start, size_t size) {
    if (!size) return INVALID;
    if (used + size > capacity()) return OUT_OF_MEMORY;
    blocks[number_of_blocks].start = calloc(size + 256, 1);
    blocks[number_of_blocks].size = size;
    used += size;
    *start = (Handle)blocks[number_of_blocks++].start;
    return 0;
}
Status cuMemFree_v2(Handle start) {
    for (int i = 0; i < number_of_blocks; i++)
        if (blocks[i].start == (char *)start) {
            used -= blocks[i].size;
            blocks[i] = blocks[--number_of_blocks];
            free((char *)start);
            return 0;
        }
    SAY("wrong: freed what is not there");
    return INVALID;
}
Status cuMemHostAlloc(void **start, size_t size, unsigned flags) {
    *start = calloc(size, 1);
    return size ? 0 : INVALID;
}
Status cuMemFreeHost(void *start) { free(start); return 0; }

static Status copy(void *to, const void *from, size_t size, const void *there, const char *what,
                   Handle stream) {
    const char *start = there;
    int found = 0;
    for (int i = 0; i < number_of_blocks; i++)
        found |= blocks[i].start <= start && start + size <= blocks[i].start + blocks[i].size;
    if (!found) SAY("wrong: a copy of %zu bytes is out of bounds", size);
    SAY("%s %zu on %lx", what, size, stream);
    memcpy(to, from, size);
    return found ? 0 : INVALID;
}
Status cuMemcpyHtoD_v2(Handle to, void *from, size_t size) {
    return copy((void *)to, from, size, (void *)to, "to device", 0);
}
Status cuMemcpyDtoH_v2(void *to, Handle from, size_t size) {
    return copy(to, (void *)from, size, (void *)from, "to host", 0);
}
Status cuMemcpyHtoDAsync_v2(Handle to, void *from, size_t size, Handle stream) {
    return copy((void *)to, from, size, (void *)to, "to device", stream);
}
Status cuMemcpyDtoHAsync_v2(void *to, Handle from, size_t size, Handle stream) {
    return copy(to, (void *)from, size, (void *)from, "to host", stream);
}

Status cuStreamCreate(Handle *stream, unsigned flags) { *stream = next++; return 0; }
Status cuStreamSynchronize(Handle stream) { SAY("host waits for %lx", stream); return 0; }
Status cuStreamGetCtx(Handle stream, Handle *context) { return cuCtxGetCurrent(context); }
Status cuEventCreate(Handle *event, unsigned flags) { *event = next++; return 0; }
static Handle recorded[1 << 16];
Status cuEventRecord(Handle event, Handle stream) {
    recorded[event % (1 << 16)] = stream;
    return 0;
}
Status cuEventSynchronize(Handle event) {
    SAY("host waits for %lx", recorded[event % (1 << 16)]);
    return 0;
}
Status cuStreamWaitEvent(Handle stream, Handle event, unsigned flags) {
    SAY("%lx waits for %lx", stream, recorded[event % (1 << 16)]);
    return 0;
}

static char names[256][96];
static int number_of_names;
Status cuLibraryLoadData(Handle *library, void *a, void *b, void *c, unsigned d, void *e,
    void *f, unsigned g) {
    *library = next++;
    return 0;
}
Status cuLibraryGetKernel(Handle *kernel, Handle library, const char *name) {
    const char *own = strstr(name, "_3clocals_3e");
    snprintf(names[number_of_names], 96, "%s", own ? own + 12 : name);
    *kernel = number_of_names++;
    return 0;
}
Status cuKernelGetFunction(Handle *function, Handle kernel) { *function = kernel; return 0; }
Status cuKernelGetAttribute(int *value, int attribute, Handle kernel, int which) {
    *value = attribute ? 0 : 1024;
    return 0;
}
Status cuFuncGetAttribute(int *value, int attribute, Handle kernel) {
    *value = attribute ? 0 : 1024;
    return 0;
}

static Status launched(Handle kernel, unsigned x, unsigned y, unsigned z, unsigned threads,
                       unsigned shared, Handle stream) {
    if (!x || !y || !z || x > 0x7fffffff || y > 65535 || shared > 48128)
        SAY("wrong: grid %u %u %u, threads %u, shared %u", x, y, z, threads, shared);
    SAY("launch %s on %lx of device %d", names[kernel], stream, device());
    return 0;
}
struct Configuration {
    unsigned x, y, z, threads, threads_y, threads_z, shared;
    Handle stream;
};
Status cuLaunchKernel(Handle kernel, unsigned x, unsigned y, unsigned z, unsigned threads,
    unsigned threads_y, unsigned threads_z, unsigned shared, Handle stream, void **arguments, void **extra) {
    return launched(kernel, x, y, z, threads, shared, stream);
}
Status cuLaunchKernelEx(struct Configuration *c, Handle kernel, void **arguments, void **extra) {
    return launched(kernel, c->x, c->y, c->z, c->threads, c->shared, c->stream);
}

Status cuGetErrorName(int error, const char **name) {
    *name = error == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR";
    return 0;
}
Status cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

static void *find(const char *name) {
    Dl_info here;
    dladdr((void *)cuInit, &here);
    void *library = dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD), *found = dlsym(library, name);
    char newer[128];
    snprintf(newer, 128, "%s_v2", name);
    found = found ? found : dlsym(library, newer);
    return found ? found : (void *)nothing;
}
Status cuGetProcAddress(const char *name, void **function, int version, uint64_t flags) {
    *function = find(name);
    return 0;
}
Status cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    if (status) *status = 0;
    return cuGetProcAddress(name, function, version, flags);
}
