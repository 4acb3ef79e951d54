# The kernel side, bpf/*.bpf.c: compiled for the bpf target, linked into one object per domain without
# DWARF (bpftool leaves only BTF), and embedded as a header <vigia_NAME.skel.h>.
pkg_check_modules(LIBBPF IMPORTED_TARGET libbpf>=1.1)
find_program(BPF_CLANG NAMES clang-19 clang-14 clang)
find_program(BPFTOOL bpftool PATHS /usr/sbin)
set(bpf_lacks)
if(NOT LIBBPF_FOUND)
  list(APPEND bpf_lacks "libbpf-dev")
endif()
if(NOT BPF_CLANG)
  list(APPEND bpf_lacks "clang-19")
endif()
if(NOT BPFTOOL)
  list(APPEND bpf_lacks "bpftool")
endif()
if(bpf_lacks)
  list(JOIN bpf_lacks " " bpf_lacks)
  message(FATAL_ERROR "The kernel side (bpf/) cannot be built without these Debian packages: ${bpf_lacks}\n"
                      "Install them, or let `./dev build` do it.")
endif()

set(bpf_source "${CMAKE_SOURCE_DIR}/bpf")
set(bpf_output "${CMAKE_BINARY_DIR}/generated/bpf")
file(MAKE_DIRECTORY "${bpf_output}")
file(GLOB bpf_headers CONFIGURE_DEPENDS "${bpf_source}/*.h")
# libbpf's BPF_PROG leaves the context unused where a program does not need it.
set(bpf_flags -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter
              "-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=" "-fdebug-compilation-dir=."
              -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}")

add_library(vigia_bpf INTERFACE)
# SYSTEM: what bpftool writes does not keep to our warnings.
target_include_directories(vigia_bpf SYSTEM INTERFACE "${bpf_output}" "${bpf_source}")

# vigia_bpf_object(name flags source...): the object of bpf/<source>.bpf.c, embedded.
function(vigia_bpf_object name flags)
  foreach(source IN LISTS ARGN)
    set(object "${bpf_output}/${name}_${source}.o")
    add_custom_command(
      OUTPUT "${object}"
      COMMAND "${BPF_CLANG}" ${bpf_flags} ${flags} -c "${bpf_source}/${source}.bpf.c" -o "${object}"
      DEPENDS "${bpf_source}/${source}.bpf.c" ${bpf_headers}
      COMMENT "Compiling bpf/${source}.bpf.c for the kernel"
      VERBATIM)
    list(APPEND objects "${object}")
  endforeach()
  set(linked "${bpf_output}/vigia_${name}.bpf.o")
  set(header "${bpf_output}/vigia_${name}.skel.h")
  add_custom_command(
    OUTPUT "${header}" "${linked}"
    COMMAND "${BPFTOOL}" gen object "${linked}" ${objects}
    # See vigia_is_listed(): old kernels refuse the types of an object that has one.
    COMMAND sh -c "! \"$1\" btf dump file \"$2\" | grep -F \"DATASEC '.rodata'\"" -- "${BPFTOOL}"
            "${linked}"
    COMMAND sh -c "\"$1\" gen skeleton \"$2\" name \"$3\" > \"$4\"" -- "${BPFTOOL}" "${linked}"
            "vigia_${name}" "${header}"
    DEPENDS ${objects}
    COMMENT "Embedding vigia_${name}.bpf.o"
    VERBATIM)
  add_custom_target(bpf_${name} DEPENDS "${header}")
  add_dependencies(vigia_bpf bpf_${name})
endfunction()

# Twice: kernels before 5.8 have no ring buffer.
vigia_bpf_object(process "" process)
vigia_bpf_object(network "" tcp address packet)
vigia_bpf_object(process_perf "-DVIGIA_PERF_BUFFER" process)
vigia_bpf_object(network_perf "-DVIGIA_PERF_BUFFER" tcp address packet)
