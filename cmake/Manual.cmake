# The manual of `vigia`, its shell completions and the catalogue of the systemd journal are printed by
# the program itself: from the tree with which it parses its command line, and from its faults.
set(texts "${CMAKE_BINARY_DIR}/texts")
set(catalogs "${CMAKE_BINARY_DIR}/catalog")
set(generated)
# vigia_generate(FILE WHAT [ARGUMENT...]): FILE from `vigia generate WHAT`.
function(vigia_generate file what)
  get_filename_component(folder "${file}" DIRECTORY)
  add_custom_command(
    OUTPUT "${file}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}"
    COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C.UTF-8 "$<TARGET_FILE:vigia>" generate ${what} ${ARGN}
            > "${file}"
    DEPENDS vigia
    VERBATIM)
  set(generated ${generated} "${file}" PARENT_SCOPE)
endfunction()
vigia_generate("${texts}/man/man1/vigia.1" man)
vigia_generate("${texts}/man/es/man1/vigia.1" man --lang es)
vigia_generate("${texts}/bash-completion/completions/vigia" bash)
vigia_generate("${texts}/zsh/vendor-completions/_vigia" zsh)
vigia_generate("${texts}/fish/vendor_completions.d/vigia.fish" fish)
vigia_generate("${catalogs}/vigia.catalog" catalog)
vigia_generate("${catalogs}/vigia.es.catalog" catalog --lang es)
add_custom_target(texts ALL DEPENDS ${generated})

# Folders as Debian's shells and man look for them, below share/.
install(DIRECTORY "${texts}/" DESTINATION share)
install(DIRECTORY "${catalogs}/" DESTINATION lib/systemd/catalog)
install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigiad.8" DESTINATION share/man/man8)
