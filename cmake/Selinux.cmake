# The SELinux module that fault 19 asks for, from packaging/selinux/vigia-bpf.te.
find_program(CHECKMODULE checkmodule REQUIRED)
find_program(SEMODULE_PACKAGE semodule_package REQUIRED)
set(selinux_source "${CMAKE_SOURCE_DIR}/packaging/selinux/vigia-bpf.te")
set(selinux_module "${CMAKE_BINARY_DIR}/selinux/vigia-bpf.pp")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/selinux")
add_custom_command(
  OUTPUT "${selinux_module}"
  COMMAND "${CHECKMODULE}" -M -m -o "${CMAKE_BINARY_DIR}/selinux/vigia-bpf.mod" "${selinux_source}"
  COMMAND "${SEMODULE_PACKAGE}" -o "${selinux_module}" -m "${CMAKE_BINARY_DIR}/selinux/vigia-bpf.mod"
  DEPENDS "${selinux_source}"
  VERBATIM)
add_custom_target(selinux_module ALL DEPENDS "${selinux_module}")
install(FILES "${selinux_module}" DESTINATION share/vigia/selinux)
