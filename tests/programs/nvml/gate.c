/* What every function asks before it answers: is there a session, such a device, a reason to fail or to hang? */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

static const double LOOK_AGAIN = 0.02;
static int sessions;

/* What stands at `what` for this function, else for all functions of this device. A device's error for all functions is one
   of its instances' too. */
static bool said(const char *what, const char *function, const struct device *who, char text[TEXT]) {
    char key[TEXT];
    snprintf(key, sizeof key, "%s.%s", what, function);
    if (scenario_text(who, key, text))
        return true;
    snprintf(key, sizeof key, "%s.*", what);
    if (scenario_text(who, key, text))
        return true;
    return who != NULL && who->place != WHOLE && scenario_text(handle_of(who->index, WHOLE), key, text);
}

/* Does not return before its time is over, or the scenario says no more that it hangs. */
static void hang(const char *function, const struct device *who) {
    char text[TEXT];
    double began = monotonic();
    while (said("hang", function, who, text)) {
        if (strcmp(text, "forever") != 0 && monotonic() - began >= strtod(text, NULL))
            return;
        nap(LOOK_AGAIN);
    }
}

static int error(const char *function, const struct device *who) {
    char text[TEXT];
    return said("error", function, who, text) ? atoi(text) : SUCCESS;
}

int gate(const char *function, const struct device *who) {
    if (__atomic_load_n(&sessions, __ATOMIC_SEQ_CST) == 0)
        return UNINITIALIZED;
    if (who != NULL && !exists(who))
        return INVALID_ARGUMENT;
    hang(function, who);
    return error(function, who);
}

EXPORT int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (!scenario_read())
        return DRIVER_NOT_LOADED;
    hang(__func__, NULL);
    int code = error(__func__, NULL);
    if (code == SUCCESS)
        __atomic_add_fetch(&sessions, 1, __ATOMIC_SEQ_CST);
    return code;
}

EXPORT int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

EXPORT int nvmlShutdown(void) {
    int before = __atomic_load_n(&sessions, __ATOMIC_SEQ_CST);
    do {
        if (before == 0)
            return UNINITIALIZED;
    } while (!__atomic_compare_exchange_n(&sessions, &before, before - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return SUCCESS;
}
