/*
 * SPDX-License-Identifier: MIT
 * SPDX-FileCopyrightText: The Duct authors
 *
 * Requests: the head of an HTTP/1.x request, checked and taken apart.
 *
 * The text is a stranger's.  It is read through a cursor that never passes its end, and what is not clearly right is
 * refused: bytes that are no text, folded or nameless fields, two Hosts, a name that no file of ours has.  A line may end in
 * LF alone, as the standard allows.
 *
 * Only GET and HEAD are answered, so a body is never of use.  A request that announces one is answered and its connection
 * closed, rather than read on to where the next request might begin.
 */
#include "httpd.h"

#include <string.h>
#include <strings.h>

/* A piece of the head: not zero-terminated. */
struct piece {
	const char *text;
	size_t len;
};

/* What the fields said. */
struct fields {
	int hosts, lengths;
	bool has_body, transfer_encoding, close, keep_alive;
};

size_t request_head_len(const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
		at++;
		if (end - at >= 1 && at[0] == '\n')
			return (size_t)(at + 1 - text);
		if (end - at >= 2 && at[0] == '\r' && at[1] == '\n')
			return (size_t)(at + 2 - text);
	}
	return 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A character of a method or field name. */
static bool is_token(char c)
{
	if (is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool piece_is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && memcmp(piece.text, text, piece.len) == 0;
}

static bool piece_is_nocase(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && strncasecmp(piece.text, text, piece.len) == 0;
}

/* Takes the text up to the separator off the front, and drops the separator.  False: there is none. */
static bool piece_split(struct piece *rest, char separator, struct piece *first)
{
	const char *at = memchr(rest->text, separator, rest->len);

	if (at == NULL)
		return false;
	*first = (struct piece){ rest->text, (size_t)(at - rest->text) };
	rest->text = at + 1;
	rest->len -= first->len + 1;
	return true;
}

static struct piece piece_trim(struct piece piece)
{
	while (piece.len > 0 && (piece.text[0] == ' ' || piece.text[0] == '\t')) {
		piece.text++;
		piece.len--;
	}
	while (piece.len > 0 && (piece.text[piece.len - 1] == ' ' || piece.text[piece.len - 1] == '\t'))
		piece.len--;
	return piece;
}

/* The next line without its end.  False: it holds a control character, NUL and lone CR among them. */
static bool next_line(struct piece *rest, struct piece *line)
{
	if (!piece_split(rest, '\n', line))
		return false;
	if (line->len > 0 && line->text[line->len - 1] == '\r')
		line->len--;
	for (size_t i = 0; i < line->len; i++)
		if (((unsigned char)line->text[i] < ' ' && line->text[i] != '\t') || line->text[i] == 127)
			return false;
	return true;
}

/* ---- The target -------------------------------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* The target without scheme and host, which a request to a proxy has. */
static struct piece origin_form(struct piece target)
{
	const char *slash;

	if (target.len < 7 || strncasecmp(target.text, "http://", 7) != 0)
		return target;
	slash = memchr(target.text + 7, '/', target.len - 7);
	if (slash == NULL)
		return (struct piece){ "/", 1 };
	return (struct piece){ slash, target.len - (size_t)(slash - target.text) };
}

/* Decodes the target up to its query.  False: not a path, or with an escape that is none or is NUL. */
static bool decode(struct piece target, char *path)
{
	size_t len = 0;

	if (target.len == 0 || target.text[0] != '/')
		return false;
	for (size_t i = 0; i < target.len && target.text[i] != '?'; i++) {
		char c = target.text[i];

		if (c == '#')
			return false;
		if (c == '%') {
			int high = i + 2 < target.len ? hex_value(target.text[i + 1]) : -1;
			int low = i + 2 < target.len ? hex_value(target.text[i + 2]) : -1;

			if (high < 0 || low < 0 || high + low == 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		path[len++] = c;
	}
	path[len] = '\0';
	return true;
}

/*
 * Drops slashes that say nothing.  False if a name begins with a dot: that refuses ".." however it was written, for this
 * runs after the decoding, and keeps hidden files to ourselves.
 */
static bool normalize(char *path, bool *is_directory)
{
	size_t len = strlen(path), to = 0;

	*is_directory = len > 0 && path[len - 1] == '/';
	for (size_t from = 0; from < len; from++) {
		bool at_start = to == 0 || path[to - 1] == '/';

		if (path[from] == '/' && at_start)
			continue;
		if (path[from] == '.' && at_start)
			return false;
		path[to++] = path[from];
	}
	if (to > 0 && path[to - 1] == '/')
		to--;
	path[to] = '\0';
	return true;
}

/* ---- The request line and the fields ----------------------------------------------------------------------------------- */

static int check_method(struct piece method, struct request *request)
{
	static const char *const others[] = { "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT" };

	request->is_head = piece_is(method, "HEAD");
	if (request->is_head || piece_is(method, "GET"))
		return 200;
	if (method.len == 0)
		return 400;
	for (size_t i = 0; i < method.len; i++)
		if (!is_token(method.text[i]))
			return 400;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (piece_is(method, others[i]))
			return 405;
	return 501;
}

/* *minor is x of HTTP/1.x. */
static int check_version(struct piece version, int *minor)
{
	if (version.len != 8 || memcmp(version.text, "HTTP/", 5) != 0 || !is_digit(version.text[5]) || version.text[6] != '.' ||
	    !is_digit(version.text[7]))
		return 400;
	*minor = version.text[7] - '0';
	return version.text[5] == '1' ? 200 : 505;
}

static int parse_line(struct piece line, struct request *request, int *minor)
{
	struct piece method, target;
	int status;

	if (line.len >= REQUEST_LINE_MAX)
		return 414;
	if (!piece_split(&line, ' ', &method) || !piece_split(&line, ' ', &target))
		return 400;
	status = check_version(line, minor);
	if (status == 200)
		status = check_method(method, request);
	if (status != 200)
		return status;
	if (!decode(origin_form(target), request->path))
		return 400;
	return normalize(request->path, &request->is_directory) ? 200 : 404;
}

/* The value of a Connection field is a list. */
static void read_connection(struct piece value, struct fields *fields)
{
	struct piece option;
	bool more = true;

	while (more) {
		more = piece_split(&value, ',', &option);
		if (!more)
			option = value;
		option = piece_trim(option);
		fields->close |= piece_is_nocase(option, "close");
		fields->keep_alive |= piece_is_nocase(option, "keep-alive");
	}
}

static bool read_length(struct piece value, struct fields *fields)
{
	fields->lengths++;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.text[i]))
			return false;
		fields->has_body |= value.text[i] != '0';
	}
	return value.len > 0;
}

static bool parse_field(struct piece line, struct fields *fields)
{
	struct piece name, value;

	if (!piece_split(&line, ':', &name) || name.len == 0)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!is_token(name.text[i]))
			return false;
	value = piece_trim(line);
	if (piece_is_nocase(name, "Host")) {
		fields->hosts++;
		return memchr(value.text, ' ', value.len) == NULL && memchr(value.text, '/', value.len) == NULL;
	}
	if (piece_is_nocase(name, "Content-Length"))
		return read_length(value, fields);
	if (piece_is_nocase(name, "Transfer-Encoding"))
		fields->transfer_encoding = true;
	if (piece_is_nocase(name, "Connection"))
		read_connection(value, fields);
	return true;
}

static int parse_fields(struct piece *rest, struct fields *fields)
{
	struct piece line;

	for (int count = 0; count <= FIELDS_MAX; count++) {
		if (!next_line(rest, &line))
			return 400;
		if (line.len == 0)
			return 200;
		if (!parse_field(line, fields))
			return 400;
	}
	return 431;
}

/* What the fields say about the request as a whole. */
static int check_fields(const struct fields *fields, int minor)
{
	if (fields->hosts > 1 || (fields->hosts == 0 && minor > 0))
		return 400;
	if (fields->lengths > 1 || (fields->lengths > 0 && fields->transfer_encoding))
		return 400;
	return fields->transfer_encoding ? 501 : 200;
}

int request_parse(const char *head, size_t len, struct request *request)
{
	struct piece rest = { head, len }, line;
	struct fields fields = { 0 };
	int line_status, status, minor = 0;

	request->keep_alive = false;
	request->is_head = false;
	if (!next_line(&rest, &line))
		return 400;
	line_status = parse_line(line, request, &minor);
	if (line_status == 400 || line_status == 414 || line_status == 505)
		return line_status;
	status = parse_fields(&rest, &fields);
	if (status == 200)
		status = check_fields(&fields, minor);
	if (status != 200)
		return status;
	request->keep_alive = !fields.close && !fields.has_body && (minor > 0 || fields.keep_alive);
	return line_status;
}
