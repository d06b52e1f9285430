# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: The Duct authors
#
# Duct.  `make help` tells what there is to make.  Variables of the caller: CC, CXX, CFLAGS, LDFLAGS, PREFIX, DESTDIR, and
# WERROR=1, which makes warnings errors.

CC = cc
CXX = c++
CFLAGS = -O2 -g
PREFIX = /usr/local
DESTDIR =
BUILD = build

includedir = $(PREFIX)/include
libdir = $(PREFIX)/lib
mandir = $(PREFIX)/share/man

VERSION := $(shell sed -n 's/^\#define DUCT_VERSION "\(.*\)"/\1/p' include/duct.h)
SOVERSION := $(firstword $(subst ., ,$(VERSION)))

WARNINGS = -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
COMMON = -std=c11 -D_GNU_SOURCE -pthread -Iinclude -MMD -MP $(WARNINGS)

LIB_SOURCES := $(sort $(wildcard lib/*.c))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o)
STATIC = $(BUILD)/libduct.a
SONAME = libduct.so.$(SOVERSION)
SHARED = $(BUILD)/libduct.so.$(VERSION)
PC = $(BUILD)/duct.pc

all: $(STATIC) $(SHARED) $(PC)

help:
	@echo 'make                 the static and the shared library, in $(BUILD)/'
	@echo 'make demo            serves the manual over HTTP with the example server, under load, for two seconds'
	@echo 'make examples        the programs in examples/'
	@echo 'make deps            installs what the tests need, where there is apt-get'
	@echo 'make check           the tests; in parts: check-unit check-fault check-stress check-schedule check-man'
	@echo '                     check-header check-symbols check-layers check-install check-examples'
	@echo 'make check-sanitize  the tests under ThreadSanitizer, AddressSanitizer with UBSan, LeakSanitizer and helgrind'
	@echo 'make bench           the benchmarks (needs Google Benchmark)'
	@echo 'make html            the manual as web pages, in $(BUILD)/html'
	@echo 'make install         installs to $$(DESTDIR)$$(PREFIX), here $(DESTDIR)$(PREFIX); make uninstall takes it back'
	@echo 'make clean           removes $(BUILD)/'

# ---- The library ----------------------------------------------------------------------------------------------------

$(BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(CC) $(COMMON) -Ilib -fPIC -fvisibility=hidden -DNDEBUG $(CFLAGS) -c -o $@ $<

# One object whose only global names are those of the header, so that a static library stays out of its program's way.
$(STATIC): $(LIB_OBJECTS)
	$(LD) -r -o $(BUILD)/duct.o $^
	$(OBJCOPY) --localize-hidden $(BUILD)/duct.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/duct.o

OBJCOPY = objcopy

$(SHARED): $(LIB_OBJECTS) lib/duct.map
	$(CC) -shared -pthread $(CFLAGS) $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--version-script=lib/duct.map -o $@ $(LIB_OBJECTS)
	ln -sf $(notdir $@) $(BUILD)/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/libduct.so

$(PC): lib/duct.pc.in include/duct.h Makefile
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' lib/duct.pc.in > $@

# ---- Installing -----------------------------------------------------------------------------------------------------

MAN_PAGES := $(notdir $(wildcard man/*.[37]))
INSTALLED = $(includedir)/duct.h $(libdir)/libduct.a $(libdir)/libduct.so $(libdir)/$(SONAME) \
	$(libdir)/$(notdir $(SHARED)) $(libdir)/pkgconfig/duct.pc $(foreach page,$(MAN_PAGES),$(mandir)/man$(subst .,,$(suffix $(page)))/$(page))

install: all
	install -d $(sort $(dir $(addprefix $(DESTDIR),$(INSTALLED))))
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' lib/duct.pc.in > $(DESTDIR)$(libdir)/pkgconfig/duct.pc
	chmod 644 $(DESTDIR)$(libdir)/pkgconfig/duct.pc
	install -m 644 include/duct.h $(DESTDIR)$(includedir)/
	install -m 644 $(STATIC) $(DESTDIR)$(libdir)/
	install -m 755 $(SHARED) $(DESTDIR)$(libdir)/
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(libdir)/libduct.so
	for page in $(MAN_PAGES); do install -m 644 man/$$page $(DESTDIR)$(mandir)/man$${page##*.}/ || exit; done

# The folders go too, up to DESTDIR, if nothing else is in them.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	-cd $(or $(DESTDIR),/) && rmdir -p $(sort $(patsubst /%/,%,$(dir $(INSTALLED)))) 2>/dev/null; true

html:
	mkdir -p $(BUILD)/html
	for page in $(MAN_PAGES); do mandoc -Thtml -O man=%N.%S.html man/$$page > $(BUILD)/html/$$page.html || exit; done

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d)

.PHONY: all help html install uninstall clean
.DELETE_ON_ERROR:
