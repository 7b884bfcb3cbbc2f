/* Processes: `DEVICE process PID MEMORY KINDS [OPTION=VALUE ...]`; `DEVICE process PID -` takes one away.

   MEMORY is in bytes, or `?` where it is not told. KINDS are of compute, graphics, mps, joined by +, or `none`: in no list.
   Options: sm, mem (percent; without them it used nothing), gi, ci (its instance), stamp (seconds before now of its sample),
   stale=1 (its sample comes also to who asked for newer ones), twice=1 (listed twice). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"
#include "structs.h"

enum { COMPUTE = 1, GRAPHICS = 2, MPS = 4 };
static const uint64_t NOT_TOLD = ~0ull;
static const uint32_t NO_INSTANCE = ~0u;

struct process {
    struct process_info info;
    struct process_use use;
    int kinds;
    bool gone, used, stale, twice;
};

static int kinds_of(const char *word) {
    return (strstr(word, "compute") ? COMPUTE : 0) | (strstr(word, "graphics") ? GRAPHICS : 0) |
           (strstr(word, "mps") ? MPS : 0);
}

static void option(struct process *process, const char *name, const char *value, uint64_t now) {
    uint32_t number = (uint32_t)strtoul(value, NULL, 10);
    if (strcmp(name, "sm") == 0)
        process->used = true, process->use.sm = number;
    else if (strcmp(name, "mem") == 0)
        process->used = true, process->use.memory = number;
    else if (strcmp(name, "gi") == 0)
        process->info.gpu_instance = number;
    else if (strcmp(name, "ci") == 0)
        process->info.compute_instance = number;
    else if (strcmp(name, "stamp") == 0)
        process->use.microseconds = now - (uint64_t)(strtod(value, NULL) * 1e6);
    else if (strcmp(name, "stale") == 0)
        process->stale = number;
    else if (strcmp(name, "twice") == 0)
        process->twice = number;
}

static struct process parsed(char *line) {
    char *rest, *pid = strtok_r(line, " ", &rest), *memory = strtok_r(NULL, " ", &rest);
    struct process process = {.gone = memory == NULL || strcmp(memory, "-") == 0};
    process.info.pid = process.use.pid = pid ? (uint32_t)strtoul(pid, NULL, 10) : 0;
    process.info.gpu_instance = process.info.compute_instance = NO_INSTANCE;
    if (process.gone)
        return process;
    process.info.memory = *memory == '?' ? NOT_TOLD : strtoull(memory, NULL, 10);
    const char *kinds = strtok_r(NULL, " ", &rest);
    process.kinds = kinds ? kinds_of(kinds) : 0;
    uint64_t now = process.use.microseconds = unix_microseconds();
    for (char *word; (word = strtok_r(NULL, " ", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        if (equals) {
            *equals = '\0';
            option(&process, word, equals + 1, now);
        }
    }
    return process;
}

/* Those of a device; of an instance, those that are in it. */
static int processes_of(const struct device *device, struct process found[MOST_LINES]) {
    static __thread char lines[MOST_LINES][TEXT];
    struct instance instance;
    int count = 0, number = scenario_lines(handle_of(device->index, WHOLE), "process", lines);
    bool inside = device->place != WHOLE && instance_in(device, &instance);
    for (int at = 0; at < number; at++) {
        struct process one = parsed(lines[at]);
        int place = 0;
        while (place < count && found[place].info.pid != one.info.pid)
            place++;
        found[place] = one;
        if (place == count)
            count++;
    }
    int kept = 0;
    for (int at = 0; at < count; at++) {
        const struct process_info *info = &found[at].info;
        if (!found[at].gone && (!inside || (info->gpu_instance == instance.gpu_instance &&
                                            info->compute_instance == instance.compute_instance)))
            found[kept++] = found[at];
    }
    return kept;
}

static int listed(const char *function, const struct device *device, int kind, unsigned *count, struct process_info *out) {
    struct process found[MOST_LINES];
    unsigned room = *count, needed = 0;
    int code = gate(function, device);
    if (code != SUCCESS)
        return code;
    int number = processes_of(device, found);
    for (int at = 0; at < number; at++)
        for (int times = found[at].kinds & kind ? 1 + found[at].twice : 0; times > 0; times--) {
            if (out != NULL && needed < room)
                out[needed] = found[at].info;
            needed++;
        }
    *count = needed;
    return needed > room || (out == NULL && needed > 0) ? INSUFFICIENT_SIZE : SUCCESS;
}

#define LIST(function, kind) \
    EXPORT int function(const struct device *device, unsigned *count, struct process_info *out) { \
        return listed(#function, device, kind, count, out); \
    }

LIST(nvmlDeviceGetComputeRunningProcesses_v2, COMPUTE)
LIST(nvmlDeviceGetComputeRunningProcesses_v3, COMPUTE)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, GRAPHICS)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, GRAPHICS)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v2, MPS)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, MPS)

/* One sample of each that used anything, if it is newer than `since`. Where there is none it says NOT_FOUND, or what the
   scenario says at `utilisation.empty`. */
EXPORT int nvmlDeviceGetProcessUtilization(const struct device *device, struct process_use *out, unsigned *count,
                                           uint64_t since) {
    struct process found[MOST_LINES];
    unsigned room = *count, needed = 0;
    int code = gate(__func__, device);
    if (code != SUCCESS)
        return code;
    int number = processes_of(device, found);
    for (int at = 0; at < number; at++) {
        if (!found[at].used || (!found[at].stale && found[at].use.microseconds <= since))
            continue;
        if (out != NULL && needed < room)
            out[needed] = found[at].use;
        needed++;
    }
    uint64_t empty = NOT_FOUND;
    scenario_whole(device, "utilisation.empty", &empty);
    *count = needed;
    if (needed == 0)
        return (int)empty;
    return out == NULL || needed > room ? INSUFFICIENT_SIZE : SUCCESS;
}
