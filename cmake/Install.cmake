# What a package contains, and where. Paths follow the Filesystem Hierarchy Standard under /usr.
install(TARGETS vigiad RUNTIME DESTINATION sbin)
install(TARGETS vigia RUNTIME DESTINATION bin)
install(TARGETS vigia-scand vigia-hash vigia-heal RUNTIME DESTINATION lib/vigia)
if(EXISTS "${CMAKE_SOURCE_DIR}/data")
  install(DIRECTORY "${CMAKE_SOURCE_DIR}/data/" DESTINATION share/vigia)
endif()
install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigiad.service"
              "${CMAKE_SOURCE_DIR}/packaging/vigia-heal@.service" DESTINATION lib/systemd/system)
foreach(repair install-headers install-selinux-module)
  install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigia-heal-install.conf"
          DESTINATION "lib/systemd/system/vigia-heal@${repair}.service.d")
endforeach()
install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigia.sysusers" DESTINATION lib/sysusers.d
        RENAME vigia.conf)
install(FILES "${CMAKE_SOURCE_DIR}/packaging/vigia.tmpfiles" DESTINATION lib/tmpfiles.d
        RENAME vigia.conf)
install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION share/doc/vigia RENAME copyright)
