# The status page inside the binary. As a script (cmake -P, at build time) it writes the C++ file;
# included, it adds that file to the library `hf_api`.
if(CMAKE_SCRIPT_MODE_FILE)
  set(text "// Written by cmake/EmbedPage.cmake from web/.\n#include <api/page.hpp>\n\nnamespace holdfast::api {\n")
  foreach(type html css js)
    file(READ ${FROM}/holdfast.${type} content)
    string(APPEND text "const std::string_view page_${type} = R\"hf_page(${content})hf_page\";\n")
  endforeach()
  string(APPEND text "}  // namespace holdfast::api\n")
  file(WRITE ${TO} "${text}")
  return()
endif()

set(page ${CMAKE_BINARY_DIR}/generated/api/page_data.cpp)
set(parts ${CMAKE_SOURCE_DIR}/web/holdfast.html ${CMAKE_SOURCE_DIR}/web/holdfast.css
          ${CMAKE_SOURCE_DIR}/web/holdfast.js)
add_custom_command(OUTPUT ${page}
  COMMAND ${CMAKE_COMMAND} -DFROM=${CMAKE_SOURCE_DIR}/web -DTO=${page} -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${parts} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the status page" VERBATIM)
target_sources(hf_api PRIVATE ${page})
