# One place for compiler options, dependencies, and the shape of a folder under src/.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(MHD REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(CAPNG REQUIRED IMPORTED_TARGET libcap-ng)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(CLAMAV REQUIRED IMPORTED_TARGET libclamav)
pkg_check_modules(SELINUX REQUIRED IMPORTED_TARGET libselinux)
pkg_check_modules(SEPOL REQUIRED IMPORTED_TARGET libsepol)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(PROMETHEUS REQUIRED IMPORTED_TARGET prometheus-cpp-core)

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE}")
endif()

# Line tables are what a backtrace needs; full types cost a quarter of each compilation.
string(REPLACE "-g " "-g1 " CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-g " "-g1 " CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fstack-protector-strong
                    -fno-plt)
# No path of the build machine in the programs, and the same objects from every clone.
add_compile_options("-ffile-prefix-map=${CMAKE_SOURCE_DIR}/=")
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # GCC 12 sees overlapping copies in `"literal" + std::string` (its bug 105651, mended in 13).
  add_compile_options(-Wno-restrict)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # std::stable_sort of libstdc++ 12 uses a function that it calls deprecated; g++ knows that it is
  # its own, and names the real ones.
  add_compile_options(-Wno-deprecated-declarations)
  # TRY() is a statement expression and marks itself with __extension__; clang still names it.
  add_compile_options(-Wthread-safety -Wno-gnu-statement-expression)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release" OR CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  if(NOT VIGIA_SANITIZE)
    add_compile_definitions(_FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
  endif()
endif()
# --as-needed: what a program does not call is not loaded into it.
add_link_options(-Wl,-z,relro,-z,now -Wl,--as-needed)
if(VIGIA_SANITIZE)
  add_compile_options(-fsanitize=${VIGIA_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${VIGIA_SANITIZE})
endif()
# The hooks stand in these folders only; all other objects of dev and release are the same, and
# ccache compiles them once.
set(VIGIA_HOOKED_FOLDERS base scand hash daemon)
add_compile_definitions(VIGIA_VERSION="${PROJECT_VERSION}" _FILE_OFFSET_BITS=64)

if(VIGIA_TESTS)
  # Sixty test programs are linked after each change of base/.
  find_program(MOLD mold)
  if(MOLD)
    add_link_options(-fuse-ld=mold)
  endif()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# vigia_library(folder [deps...]): static library vigia_<folder> from src/<folder>/**.cpp, and the
# program <folder>_test from the *_test.cpp beside them. Layers are checked by tools/check_layers.py.
function(vigia_library folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${folder}/*.cpp")
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  if(sources)
    add_library(vigia_${folder} STATIC ${sources})
    target_include_directories(vigia_${folder} PUBLIC "${CMAKE_SOURCE_DIR}/src")
    if(VIGIA_TEST_HOOKS AND folder IN_LIST VIGIA_HOOKED_FOLDERS)
      target_compile_definitions(vigia_${folder} PRIVATE VIGIA_TEST_HOOKS=1)
    endif()
    target_link_libraries(vigia_${folder} PUBLIC ${ARGN})
  else()
    add_library(vigia_${folder} INTERFACE)
    target_include_directories(vigia_${folder} INTERFACE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(vigia_${folder} INTERFACE ${ARGN})
  endif()
  if(VIGIA_TESTS AND tests)
    add_executable(${folder}_test ${tests})
    if(VIGIA_TEST_HOOKS AND folder IN_LIST VIGIA_HOOKED_FOLDERS)
      target_compile_definitions(${folder}_test PRIVATE VIGIA_TEST_HOOKS=1)
    endif()
    target_link_libraries(${folder}_test PRIVATE vigia_${folder} GTest::gtest_main GTest::gmock)
    gtest_discover_tests(${folder}_test TEST_PREFIX "${folder}." PROPERTIES LABELS unit TIMEOUT 120
                         DISCOVERY_TIMEOUT 60)
  endif()
endfunction()

# vigia_program(name folder [deps...]): the program from src/<folder>/main.cpp.
function(vigia_program name folder)
  add_executable(${name} "${CMAKE_SOURCE_DIR}/src/${folder}/main.cpp")
  target_link_libraries(${name} PRIVATE vigia_${folder} ${ARGN})
endfunction()

# vigia_links_of(file out): the libraries named in the file's line "// links: a b", as a list. So a
# test says itself what it links, and nobody edits a common list.
function(vigia_links_of file out)
  file(STRINGS "${file}" line REGEX "^// links: " LIMIT_COUNT 1)
  string(REGEX REPLACE "^// links: *" "" line "${line}")
  separate_arguments(libraries UNIX_COMMAND "${line}")
  set(${out} ${libraries} PARENT_SCOPE)
endfunction()

# vigia_timeout_of(file out): the seconds ctest gives each test of the file, from its line
# "// timeout: N"; 300 without one.
function(vigia_timeout_of file out)
  file(STRINGS "${file}" line REGEX "^// timeout: [0-9]+$" LIMIT_COUNT 1)
  string(REGEX REPLACE "^// timeout: " "" seconds "${line}")
  if(NOT seconds)
    set(seconds 300)
  endif()
  set(${out} ${seconds} PARENT_SCOPE)
endfunction()
