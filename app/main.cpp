#include <app/commands.hpp>

int main(int argc, char** argv) { return holdfast::app::run_program(argc, argv); }
