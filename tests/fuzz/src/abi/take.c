#include "host.h"

#include <string.h>

uint8_t take(struct host *host)
{
    return host->next < host->end ? *host->next++ : 0;
}

char *take_text(struct host *host, const char *usual)
{
    static const char *special[] = { "", "..", "/", "a//b", "a\xff\xfe", "line\r\nX: y", "%00%2e", "\xe4\xb8\xad", "0" };
    uint8_t kind = take(host);
    if (kind == 0)
        return strdup(usual);
    if (kind == 1)
        return NULL;
    if (kind - 2u < COUNT(special))
        return strdup(special[kind - 2]);
    if (kind == 11) {
        char *text = malloc(5001);
        CHECK(text != NULL);
        memset(text, 'x', 5000);
        text[5000] = 0;
        return text;
    }
    const uint8_t *begin = host->next;
    while (host->next < host->end && *host->next != 0xff && *host->next != 0)
        host->next++;
    char *text = strndup((const char *)begin, (size_t)(host->next - begin));
    take(host);
    return text;
}

int64_t take_number(struct host *host)
{
    static const int64_t special[] = {
        INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, -1, 256, 257, 4096, 524288, 1048576, 2097152, 3145728, 3145729,
        20971520, 20971521, 86400000, 86400001, 31536000000, 31536000001, (int64_t)1 << 36, ((int64_t)1 << 36) + 1,
    };
    uint8_t kind = take(host);
    if (kind >= 255 - COUNT(special) && kind < 255)
        return special[254 - kind];
    if (kind < 255)
        return kind;
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | take(host);
    return (int64_t)number;
}

char *take_path(struct host *host, const char *usual)
{
    char *name = take_text(host, usual);
    if (name == NULL)
        return NULL;
    size_t size = strlen(host->folder) + strlen(name) + 2;
    char *path = malloc(size);
    CHECK(path != NULL);
    snprintf(path, size, "%s/%s", host->folder, name);
    free(name);
    return path;
}

int64_t take_deadline(struct host *host)
{
    int64_t ms = take_number(host);
    return ms > 20 && ms <= 31536000000 ? 1 + ms % 20 : ms;
}
