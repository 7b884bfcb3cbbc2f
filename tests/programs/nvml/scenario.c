/* Reads the scenario and looks up what it says at this moment. One line is WHO KEY VALUE, or `at SECONDS`, `epoch UNIX`. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "standin.h"

enum { LIBRARY = -1, EVERY = -2, KEY = 72 };

struct line {
    int index, place;
    double at;
    char key[KEY], value[TEXT];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct line *lines;
static int count, room;
static double began, epoch;
static struct stat seen;

/* Seconds since the first look at the scenario, or since its epoch. */
static double elapsed(void) {
    return epoch > 0 ? (double)unix_microseconds() * 1e-6 - epoch : monotonic() - began;
}

static bool who_is_meant(const char *word, struct line *line) {
    char *end;
    line->place = WHOLE;
    if (strcmp(word, "nvml") == 0 || strcmp(word, "*") == 0) {
        line->index = *word == '*' ? EVERY : LIBRARY;
        return true;
    }
    line->index = (int)strtol(word, &end, 10);
    if (end != word && *end == '/')
        line->place = (int)strtol(end + 1, &end, 10);
    return end != word && *end == '\0';
}

/* `error FUNCTION CODE` and `hang FUNCTION SECONDS` have two words for a key. */
static bool parsed(char *text, struct line *line) {
    char *rest, *who = strtok_r(text, " \t", &rest), *key = strtok_r(NULL, " \t", &rest);
    if (who == NULL || key == NULL || !who_is_meant(who, line))
        return false;
    bool of_a_function = strcmp(key, "error") == 0 || strcmp(key, "hang") == 0;
    char *function = of_a_function ? strtok_r(NULL, " \t", &rest) : NULL;
    if (of_a_function && function == NULL)
        return false;
    int length = snprintf(line->key, KEY, function ? "%s.%s" : "%s", key, function);
    rest += strspn(rest, " \t");
    return length < KEY && snprintf(line->value, TEXT, "%s", rest) < TEXT;
}

static void keep(const struct line *line) {
    if (count == room) {
        room = room ? 2 * room : 256;
        lines = realloc(lines, (size_t)room * sizeof *lines);
        if (lines == NULL)
            abort();
    }
    lines[count++] = *line;
}

static void parse(FILE *file) {
    char text[KEY + 2 * TEXT];
    struct line line = {0};
    count = 0;
    epoch = 0;
    while (fgets(text, sizeof text, file)) {
        text[strcspn(text, "\n")] = '\0';
        if (*text == '\0' || *text == '#')
            continue;
        if (sscanf(text, "at %lf", &line.at) == 1 || sscanf(text, "epoch %lf", &epoch) == 1)
            continue;
        if (parsed(text, &line))
            keep(&line);
        else
            fprintf(stderr, "nvml stand-in: not a line of a scenario: %s\n", text);
    }
}

/* Under the lock. */
static bool read_if_changed(void) {
    struct stat is;
    const char *path = getenv("STANDIN_NVML_SCENARIO");
    if (path == NULL || stat(path, &is) != 0)
        return false;
    if (is.st_ino == seen.st_ino && is.st_size == seen.st_size && is.st_mtim.tv_sec == seen.st_mtim.tv_sec &&
        is.st_mtim.tv_nsec == seen.st_mtim.tv_nsec)
        return true;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    if (began == 0)
        began = monotonic();
    parse(file);
    fclose(file);
    seen = is;
    return true;
}

bool scenario_read(void) {
    pthread_mutex_lock(&lock);
    bool there = read_if_changed();
    pthread_mutex_unlock(&lock);
    return there;
}

static bool is_about(const struct line *line, const struct device *who) {
    if (who == NULL)
        return line->index == LIBRARY;
    return line->index == EVERY || (line->index == who->index && line->place == who->place);
}

/* Copies the lines that hold now into `found`, where only one is wanted the last; how many. */
static int look_up(const struct device *who, const char *key, struct line *found, int most, double *now) {
    int number = 0;
    pthread_mutex_lock(&lock);
    read_if_changed();
    *now = elapsed();
    for (int at = 0; at < count; at++) {
        const struct line *line = &lines[at];
        if (line->at > *now || !is_about(line, who) || strcmp(line->key, key) != 0)
            continue;
        if (number < most)
            found[number] = *line;
        else if (most == 1)
            *found = *line;
        number++;
    }
    pthread_mutex_unlock(&lock);
    return number < most ? number : most;
}

/* `-` takes back what an earlier line said. */
static bool newest(const struct device *who, const char *key, struct line *found, double *now) {
    return look_up(who, key, found, 1, now) == 1 && strcmp(found->value, "-") != 0;
}

bool scenario_text(const struct device *who, const char *key, char text[TEXT]) {
    struct line found;
    double now;
    if (!newest(who, key, &found, &now))
        return false;
    memcpy(text, found.value, TEXT);
    return true;
}

/* `VALUE` or `VALUE +PER_SECOND`, which counts from the line's time on. */
bool scenario_whole(const struct device *who, const char *key, uint64_t *value) {
    struct line found;
    double now;
    char *end;
    if (!newest(who, key, &found, &now))
        return false;
    long long start = strtoll(found.value, &end, 10);
    end += strspn(end, " ");
    double rate = *end == '+' ? strtod(end, NULL) : 0;
    *value = (uint64_t)(start + (long long)(rate * (now - found.at)));
    return true;
}

bool scenario_real(const struct device *who, const char *key, double *value) {
    char text[TEXT];
    if (!scenario_text(who, key, text))
        return false;
    *value = strtod(text, NULL);
    return true;
}

int scenario_lines(const struct device *who, const char *key, char texts[MOST_LINES][TEXT]) {
    struct line found[MOST_LINES];
    double now;
    int number = look_up(who, key, found, MOST_LINES, &now);
    for (int at = 0; at < number; at++)
        memcpy(texts[at], found[at].value, TEXT);
    return number;
}
