/* Numbered fields: `DEVICE field.NUMBER VALUE [+PER_SECOND]`, `DEVICE field.NUMBER error CODE`, or `unfilled`: success, but
   nothing is written. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"
#include "structs.h"

enum { UNSIGNED_LONG_LONG = 3 };

static void fill(const struct device *device, struct field *field) {
    char key[TEXT], text[TEXT];
    uint64_t value;
    snprintf(key, sizeof key, "field.%u", field->number);
    field->error = NOT_SUPPORTED;
    if (!scenario_text(device, key, text))
        return;
    if (sscanf(text, "error %d", &field->error) == 1)
        return;
    field->error = SUCCESS;
    if (strcmp(text, "unfilled") == 0 || !scenario_whole(device, key, &value))
        return;
    field->type = UNSIGNED_LONG_LONG;
    field->value.whole = value;
    field->microseconds = (int64_t)unix_microseconds();
}

EXPORT int nvmlDeviceGetFieldValues(const struct device *device, int count, struct field *fields) {
    int code = gate(__func__, device);
    for (int at = 0; code == SUCCESS && at < count; at++)
        fill(device, &fields[at]);
    return code;
}
