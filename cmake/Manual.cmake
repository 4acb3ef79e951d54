# The manual of `vigia` and its shell completions are printed by the program itself, from the tree
# with which it parses its command line.
set(texts "${CMAKE_BINARY_DIR}/texts")
set(generated)
# vigia_generate(FILE WHAT [ARGUMENT...]): FILE below build/…/texts from `vigia generate WHAT`.
function(vigia_generate file what)
  get_filename_component(folder "${texts}/${file}" DIRECTORY)
  add_custom_command(
    OUTPUT "${texts}/${file}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}"
    COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C.UTF-8 "$<TARGET_FILE:vigia>" generate ${what} ${ARGN}
            > "${texts}/${file}"
    DEPENDS vigia
    VERBATIM)
  set(generated ${generated} "${texts}/${file}" PARENT_SCOPE)
endfunction()
vigia_generate(man/man1/vigia.1 man)
vigia_generate(man/es/man1/vigia.1 man --lang es)
vigia_generate(bash-completion/completions/vigia bash)
vigia_generate(zsh/vendor-completions/_vigia zsh)
vigia_generate(fish/vendor_completions.d/vigia.fish fish)
add_custom_target(texts ALL DEPENDS ${generated})

# Folders as Debian's shells and man look for them, below share/.
install(DIRECTORY "${texts}/" DESTINATION share)
install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigiad.8" DESTINATION share/man/man8)
