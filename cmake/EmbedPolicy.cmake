# The default policy is one file for administrators and for the library: packaging/policy.toml
# becomes policy::default_text(). A change of it configures anew.
set(policy_file "${CMAKE_SOURCE_DIR}/packaging/policy.toml")
set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${policy_file}")
file(READ "${policy_file}" VIGIA_DEFAULT_POLICY)
configure_file("${CMAKE_SOURCE_DIR}/src/policy/default_policy.cpp.in"
               "${CMAKE_BINARY_DIR}/generated/default_policy.cpp" @ONLY)
target_sources(vigia_policy PRIVATE "${CMAKE_BINARY_DIR}/generated/default_policy.cpp")
